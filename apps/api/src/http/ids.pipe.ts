import { Injectable, type PipeTransform } from '@nestjs/common';
import { IdPipe } from './id.pipe';

/** All ids of a path at once, each as `IdPipe` has it; for handlers with more to take in than single parameters allow. */
@Injectable()
export class IdsPipe implements PipeTransform<Record<string, string>, Record<string, string>> {
  private readonly one = new IdPipe();

  transform(path: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(path).map(([name, id]) => [name, this.one.transform(id)]));
  }
}
