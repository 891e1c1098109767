import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { FirstAdmin, type FirstStart } from '@features/auth';

/** Prepares an empty database for its first user when the server starts; what is left for a person to do is for `main` to print. */
@Injectable()
export class Setup implements OnApplicationBootstrap {
  firstStart: FirstStart = { userMissing: false };

  constructor(private readonly firstAdmin: FirstAdmin) {}

  async onApplicationBootstrap(): Promise<void> {
    this.firstStart = await this.firstAdmin.prepare();
  }
}
