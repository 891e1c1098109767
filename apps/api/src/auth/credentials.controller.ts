import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Acceptance, Accounts, PasswordChange } from '@features/auth';
import type { Principal } from '@kernel/identity';
import type { FastifyRequest } from 'fastify';
import { Access, Public } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { clientAddress } from '../http/client-address';
import {
  acceptBody,
  passwordBody,
  signedInSchema,
  signedInView,
  switchBody,
  type AcceptBody,
  type PasswordBody,
  type SwitchBody,
} from './auth.schema';

/** Other ways in than by e-mail and password, and changing the password. */
@ApiTags('auth')
@Controller('api/v1/auth')
export class CredentialsController {
  constructor(
    private readonly accounts: Accounts,
    private readonly acceptance: Acceptance,
    private readonly passwords: PasswordChange,
  ) {}

  @Post('switch')
  @HttpCode(200)
  @Access('any', 'viewer', { persons: true })
  @ApiOperation({ summary: 'Sign in to another workspace of yours; this login stays.' })
  @Answers(200, signedInSchema, 'Signed in there.')
  @Problems('not_found')
  async switch(@Body({ schema: switchBody }) body: SwitchBody, @Caller() principal: Principal) {
    return signedInView(await this.accounts.switch(principal, body.workspace_id));
  }

  @Post('password')
  @HttpCode(204)
  @Access('any', 'viewer', { persons: true })
  @ApiOperation({ summary: 'Change your password; ends all your sessions, this one too. Your keys stay.' })
  @Answers(204, undefined, 'Changed.')
  async password(@Body({ schema: passwordBody }) body: PasswordBody, @Caller() principal: Principal, @Req() request: FastifyRequest) {
    await this.passwords.change(principal, { current: body.current_password, wanted: body.new_password }, clientAddress(request));
  }

  @Post('accept')
  @HttpCode(200)
  @Public()
  @ApiOperation({
    summary: 'Join a workspace by an invitation, or set a new password by a reset; either token is good once, for 72 hours.',
  })
  @Answers(200, signedInSchema, 'Signed in, after an invitation in the inviting workspace.')
  @Problems('invalid', 'unauthenticated', 'forbidden', 'rate_limited')
  async accept(@Body({ schema: acceptBody }) body: AcceptBody, @Req() request: FastifyRequest) {
    const { invite_token: invite, reset_token: reset, password, name } = body;
    if (reset !== undefined) return signedInView(await this.acceptance.reset(reset, password, clientAddress(request)));
    return signedInView(await this.acceptance.acceptInvitation({ token: invite ?? '', password, name }, clientAddress(request)));
  }
}
