/** How an answer is made; unset members take the model's defaults. */
export interface ChatOptions {
  /** 0..2 */
  temperature?: number;
  /** 1..context of the model */
  max_tokens?: number;
  seed?: number;
  /** At most 4. */
  stop?: string[];
  /** Lets a model that can think before it answers do so; false when unset. */
  think?: boolean;
}

export type Visibility = 'private' | 'workspace';

/** A conversation of its maker. */
export interface ChatSession {
  id: string;
  workspaceId: string;
  ownerId: string;
  visibility: Visibility;
  title: string | null;
  model: string | null;
  system: string | null;
  /** Names of the collections that ground its answers. */
  collections: string[];
  options: ChatOptions;
  /** Raised by every change; the ETag. */
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** What a caller may set; null clears. */
export type SessionFields = Pick<ChatSession, 'title' | 'model' | 'system' | 'collections' | 'options' | 'visibility'>;
