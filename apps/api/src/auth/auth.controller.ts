import { Body, Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Accounts, ApiKeys, Registration } from '@features/auth';
import { Budgets } from '@features/usage';
import { AppConfig } from '@kernel/config';
import type { Principal } from '@kernel/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Access, Public } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { clientAddress } from '../http/client-address';
import { apiKeyView } from './api-keys.schema';
import {
  accountView,
  loginBody,
  meSchema,
  refreshBody,
  registerBody,
  scopesView,
  signedInSchema,
  signedInView,
  type LoginBody,
  type RefreshBody,
  type RegisterBody,
} from './auth.schema';
import { registrationOrigin } from './registration-origin';

/** Registering, signing in and out, and who I am. */
@ApiTags('auth')
@Controller('api/v1/auth')
export class AuthController {
  constructor(
    private readonly config: AppConfig,
    private readonly registration: Registration,
    private readonly accounts: Accounts,
    private readonly keys: ApiKeys,
    private readonly budgets: Budgets,
  ) {}

  @Post('register')
  @HttpCode(201)
  @Public()
  @ApiOperation({ summary: 'Register: the first user of a server becomes its admin; a workspace with a collection `default` is made.' })
  @Answers(201, signedInSchema, 'Registered and signed in.')
  @Problems('invalid', 'forbidden', 'conflict', 'rate_limited')
  async register(
    @Body({ schema: registerBody }) body: RegisterBody,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { setup_token: setupToken, invite_token: inviteToken, ...person } = body;
    const origin = registrationOrigin(request, this.config.http.loopback);
    const signedIn = await this.registration.register({ ...person, setupToken, inviteToken }, origin);
    void reply.header('Location', '/api/v1/auth/me');
    return signedInView(signedIn);
  }

  @Post('login')
  @HttpCode(200)
  @Public()
  @ApiOperation({ summary: 'Sign in with e-mail and password.' })
  @Answers(200, signedInSchema, 'Signed in.')
  @Problems('invalid', 'unauthenticated', 'rate_limited')
  async login(@Body({ schema: loginBody }) body: LoginBody, @Req() request: FastifyRequest) {
    return signedInView(await this.accounts.login(body, clientAddress(request)));
  }

  @Post('refresh')
  @HttpCode(200)
  @Public()
  @ApiOperation({ summary: 'Exchange a refresh token for new tokens; a used one presented again ends the login.' })
  @Answers(200, signedInSchema, 'New tokens.')
  @Problems('invalid', 'unauthenticated', 'conflict')
  async refresh(@Body({ schema: refreshBody }) body: RefreshBody) {
    return signedInView(await this.accounts.refresh(body.refresh_token));
  }

  @Post('logout')
  @HttpCode(204)
  @Access('any', 'viewer', { persons: true })
  @ApiOperation({ summary: 'End this login: its access and refresh tokens are refused from now on.' })
  @Answers(204, undefined, 'Logged out.')
  async logout(@Caller() principal: Principal): Promise<void> {
    await this.accounts.logout(principal);
  }

  @Get('me')
  @Access('any')
  @ApiOperation({ summary: 'Who I am, in which workspace, and what I may do.' })
  @Answers(200, meSchema, 'The caller.')
  async me(@Caller() principal: Principal) {
    const [account, key] = await Promise.all([this.accounts.me(principal), this.keys.current(principal)]);
    const view = { ...accountView(account), role: account.workspace.role, scopes: scopesView(principal.scopes) };
    if (key === undefined) return view;
    const budgets = await this.budgets.states([key.id]);
    return { ...view, key: apiKeyView(key, budgets.get(key.id)) };
  }
}
