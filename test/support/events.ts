export interface StreamedEvent {
  id: number;
  event: string;
  data: Record<string, unknown>;
}

/** All events of a stream that ends by itself. */
export async function parseEvents(response: Response): Promise<StreamedEvent[]> {
  const blocks = (await response.text()).split('\n\n');
  return blocks.flatMap((block) => {
    const match = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/u.exec(block);
    if (match === null) return [];
    return [{ id: Number(match[1]), event: match[2] ?? '', data: JSON.parse(match[3] ?? '') as Record<string, unknown> }];
  });
}
