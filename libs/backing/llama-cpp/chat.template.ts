import type { ChatWrapper, LlamaText } from 'node-llama-cpp' with { 'resolution-mode': 'import' };
import type { ChatTurn } from '@kernel/models';
import type { LlamaCppClient } from './llama-cpp.client';

type Library = Pick<Awaited<ReturnType<LlamaCppClient['library']>>, 'JinjaTemplateChatWrapper' | 'LlamaText' | 'SpecialTokensText'>;

/** What the templates of models that think when asked set before an answer without thoughts (Qwen 3). */
const NO_THOUGHTS = '<think>\n\n</think>\n\n';

/** Writes prompts by the chat template inside a model's file; the text of turns never becomes a control token. */
export class ChatTemplate {
  private readonly wrapper: ChatWrapper;
  /** The model thinks unless its turn begins with an empty thought. */
  private readonly thinks: boolean;

  constructor(
    private readonly library: Library,
    template: string,
  ) {
    this.wrapper = new library.JinjaTemplateChatWrapper({
      template,
      reasoning: false,
      joinAdjacentMessagesOfTheSameType: false,
      trimLeadingWhitespaceInResponses: false,
    });
    this.thinks = template.includes('enable_thinking');
  }

  /** The whole prompt, ending where the answer begins; `think`: with its thoughts, if the model has any. */
  prompt(turns: ChatTurn[], think: boolean): LlamaText {
    const { LlamaText: text, SpecialTokensText: control } = this.library;
    const chatHistory = [...turns.map(historyItem), { type: 'model' as const, response: [] }];
    const { contextText } = this.wrapper.generateContextState({ chatHistory });
    return this.thinks && !think ? text(contextText, new control(NO_THOUGHTS)) : contextText;
  }
}

function historyItem(turn: ChatTurn) {
  if (turn.role === 'assistant') return { type: 'model' as const, response: [turn.content] };
  // What a tool answered stands before the model like what a person says: the platform writes calls into the text of turns.
  return { type: turn.role === 'tool' ? ('user' as const) : turn.role, text: turn.content };
}
