import { LlamaCppClient } from '@backing/llama-cpp';

/** What llama.cpp itself has done, counted at its door: tokens made, the lengths of the steps of prompts that were begun, texts begun to be embedded. */
export interface NativeWork {
  tokens: number;
  steps: number[];
  texts: number;
  /** Called as a text begins. */
  onText?: () => void;
}

/** Counts in all models that are loaded from now on, until `jest.restoreAllMocks`. */
export function countNativeWork(): NativeWork {
  const work: NativeWork = { tokens: 0, steps: [], texts: 0 };
  const load = LlamaCppClient.prototype.loadModel;
  jest.spyOn(LlamaCppClient.prototype, 'loadModel').mockImplementation(async function (this: LlamaCppClient, ...given) {
    const model = await load.apply(this, given);
    const createContext = model.createContext.bind(model);
    model.createContext = async (options) => {
      const context = await createContext(options);
      const getSequence = context.getSequence.bind(context);
      context.getSequence = (sequenceOptions) => counted(getSequence(sequenceOptions), work);
      return context;
    };
    const createEmbeddingContext = model.createEmbeddingContext.bind(model);
    model.createEmbeddingContext = async (options) => {
      const context = await createEmbeddingContext(options);
      const embed = context.getEmbeddingFor.bind(context);
      context.getEmbeddingFor = (input) => {
        work.texts += 1;
        work.onText?.();
        return embed(input);
      };
      return context;
    };
    return model;
  });
  return work;
}

type Sequence = ReturnType<Awaited<ReturnType<Awaited<ReturnType<LlamaCppClient['loadModel']>>['createContext']>>['getSequence']>;

function counted(sequence: Sequence, work: NativeWork): Sequence {
  const read = sequence.evaluateWithoutGeneratingNewTokens.bind(sequence);
  sequence.evaluateWithoutGeneratingNewTokens = (tokens, ...more) => {
    work.steps.push(tokens.length);
    return read(tokens, ...more);
  };
  const evaluate = sequence.evaluate.bind(sequence);
  sequence.evaluate = async function* (...given) {
    for await (const token of evaluate(...given)) {
      work.tokens += 1;
      yield token;
    }
  };
  return sequence;
}
