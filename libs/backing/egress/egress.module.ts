import { Module } from '@nestjs/common';
import { EgressClient } from './egress.client';
import { HostResolver } from './host-resolver.service';
import { SocketConnector } from './socket-connector.service';

/** The way out to addresses that users name. */
@Module({ providers: [EgressClient, HostResolver, SocketConnector], exports: [EgressClient] })
export class EgressModule {}
