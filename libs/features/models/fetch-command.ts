import { CATALOGUE, fetchCommand } from '@backing/llama-cpp';

/** The command that brings a model to this machine. */
export function fetchCommandOf(model: string): string {
  const entry = CATALOGUE.find(({ slug }) => slug === model);
  return entry === undefined ? 'npm run models -- fetch' : fetchCommand(entry);
}
