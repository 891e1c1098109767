import { EventEmitter } from 'node:events';
import { Injectable } from '@nestjs/common';
import { Fanout, type FanoutListener } from '@kernel/fanout';

/** Words between the parts of one process. */
@Injectable()
export class MemoryFanout extends Fanout {
  private readonly emitter = new EventEmitter().setMaxListeners(0);

  publish(channel: string, message: string): void {
    this.emitter.emit(channel, message);
  }

  subscribe(channel: string, listener: FanoutListener): () => void {
    this.emitter.on(channel, listener);
    return () => this.emitter.off(channel, listener);
  }
}
