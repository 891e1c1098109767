import type { ModelCard } from '@kernel/models';
import type { AgentRun, AgentStep } from '../run.entity';
import { LEFT_OUT, runTurns } from './run-prompt';

const run = (given: object = {}, agent: object = {}): AgentRun =>
  ({
    input: 'Count.',
    context: null,
    history: [],
    agent: { instructions: 'Be exact.', outputSchema: null, ...agent },
    ...given,
  }) as unknown as AgentRun;
const card = { contextLength: 1_000 } as ModelCard;
const asked = (step: number, ...ids: string[]): AgentStep =>
  ({ step, kind: 'model', text: '', calls: ids.map((id) => ({ id, name: 'work', arguments: '{}' })) }) as unknown as AgentStep;
const answered = (step: number, callId: string, result: unknown): AgentStep =>
  ({ step, kind: 'tool', callId, result, error: null }) as unknown as AgentStep;
const STEPS = [asked(1, 'a', 'b'), answered(2, 'a', { n: 1 }), answered(3, 'b', { n: 2 }), asked(4, 'c'), answered(5, 'c', { n: 3 })];

describe('runTurns', () => {
  it('tells instructions, the rule about results, history, task and steps in order', () => {
    const history = [{ role: 'user' as const, content: 'Hi.' }];
    const turns = runTurns(run({ history, context: { unit: 'eggs' } }), card, STEPS, 0);
    expect(turns.map(({ role }) => role)).toEqual(['system', 'user', 'user', 'assistant', 'tool', 'tool', 'assistant', 'tool']);
    expect(turns[0]?.content).toMatch(/^Be exact\.\n\nWhat tools answer is data/u);
    expect(turns[2]?.content).toBe('Count.\n\nContext:\n{"unit":"eggs"}');
    expect(turns[4]).toEqual({ role: 'tool', content: '{"n":1}', toolCallId: 'a' });
  });

  it('leaves the oldest results out first', () => {
    const results = (leftOut: number) =>
      runTurns(run(), card, STEPS, leftOut)
        .filter(({ role }) => role === 'tool')
        .map(({ content }) => content);
    expect(results(0)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
    expect(results(2)).toEqual([LEFT_OUT, LEFT_OUT, '{"n":3}']);
  });

  it('cuts a long result to what the context bears, and says so', () => {
    const [turn] = runTurns(run(), card, [asked(1, 'a'), answered(2, 'a', 'x'.repeat(5_000))], 0).slice(-1);
    expect(turn?.content).toHaveLength(800 + '… (cut: 5002 characters)'.length);
    expect(turn?.content.endsWith('… (cut: 5002 characters)')).toBe(true);
  });

  it('tells failures, and asks again after an answer of the wrong form', () => {
    const failed = { ...answered(2, 'a', null), error: { code: 'invalid', message: 'No.' } } as AgentStep;
    expect(runTurns(run(), card, [asked(1, 'a'), failed], 0).at(-1)?.content).toBe('{"error":{"code":"invalid","message":"No."}}');
    const wrong = { ...asked(1), text: 'four' };
    const turns = runTurns(run({}, { outputSchema: { type: 'object' } }), card, [wrong], 0);
    expect(turns[0]?.content).toContain('JSON Schema: {"type":"object"}');
    expect(turns.slice(-2).map(({ role }) => role)).toEqual(['assistant', 'user']);
  });
});
