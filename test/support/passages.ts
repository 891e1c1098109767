import type { Passage } from '@features/vectors';

/** A passage with what a test does not care about filled in. */
export function passageOf(given: Partial<Passage> & { text: string }): Passage {
  return {
    id: '018f0000-0000-5000-8000-000000000001',
    collectionId: '018f0000-0000-7000-8000-000000000002',
    documentId: '018f0000-0000-7000-8000-000000000003',
    document: 'document.txt',
    kind: 'chunk',
    ordinal: 0,
    page: null,
    start: 0,
    end: given.text.length,
    heading: null,
    language: 'en',
    score: 0.5,
    scores: { vector: 0.5, text: 1 },
    coverage: 0.5,
    found: true,
    ...given,
  };
}
