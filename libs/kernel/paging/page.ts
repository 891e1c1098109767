/** What a list is asked for: keyset paging over ids, which are UUIDv7 and so sort by time. */
export interface PageQuery {
  /** 1..100 */
  limit: number;
  after?: string;
  before?: string;
  order: 'asc' | 'desc';
}

export interface Page<T> {
  data: T[];
  hasMore: boolean;
}

/** The wire form of a page. */
export interface ListAnswer<T> {
  object: 'list';
  data: T[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

export function listAnswer<T>(page: Page<T>, id: (item: T) => string): ListAnswer<T> {
  const first = page.data[0];
  const last = page.data.at(-1);
  return {
    object: 'list',
    data: page.data,
    first_id: first === undefined ? null : id(first),
    last_id: last === undefined ? null : id(last),
    has_more: page.hasMore,
  };
}
