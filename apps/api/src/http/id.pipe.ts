import { Injectable, type PipeTransform } from '@nestjs/common';
import { AppError } from '@kernel/errors';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A path id: what cannot be an id of ours answers exactly as an unknown one, 404. Answers it in lower case. */
@Injectable()
export class IdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!UUID.test(value)) throw new AppError('not_found', 'Nothing with this id was found.');
    return value.toLowerCase();
  }
}
