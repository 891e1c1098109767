import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ConsulClient } from './consul.client';
import { ConsulHealth } from './consul.health';
import { ConsulRegistration } from './consul.registration';

/** The Consul agent of CONSUL_URL; without that setting nothing is ever called. */
@Module({
  imports: [TerminusModule],
  providers: [ConsulClient, ConsulHealth, ConsulRegistration],
  exports: [ConsulClient, ConsulHealth, ConsulRegistration],
})
export class ConsulModule {}
