import type { PageSpan } from '@backing/parsers';
import type { Outline } from './outline';

/** The outline with a section for each page, so that a chunk begins and is cited on the page that it is about; a sentence belongs to the page where it begins. */
export function paged({ units }: Outline, pages: PageSpan[]): Outline {
  let page = 0;
  return {
    sections: pages.map(() => ({ depth: 0, path: [] })),
    units: units.map((unit) => {
      while ((pages[page]?.end ?? Number.POSITIVE_INFINITY) <= unit.start && page < pages.length - 1) page += 1;
      return { ...unit, section: page };
    }),
  };
}
