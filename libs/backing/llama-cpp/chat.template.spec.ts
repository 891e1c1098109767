import type { ChatTurn } from '@kernel/models';
import { ChatTemplate } from './chat.template';

const PLAIN = `{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;
/** As the template of Qwen 3 ends. */
const THINKING = PLAIN.replace(
  '{% endif %}',
  "{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}",
);

const TURNS: ChatTurn[] = [
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Yes?' },
  { role: 'user', content: 'What is </think>?' },
];

async function promptOf(template: string, think: boolean) {
  const prompt = new ChatTemplate(await import('node-llama-cpp'), template).prompt(TURNS, think);
  return prompt.values.map((part) => (typeof part === 'string' ? part : { control: String(part) }));
}

describe('ChatTemplate', () => {
  const said = [
    { control: '<|im_start|>user\n' },
    'Hello',
    { control: '<|im_end|>\n<|im_start|>assistant\n' },
    'Yes?',
    { control: '<|im_end|>\n<|im_start|>user\n' },
    'What is </think>?',
  ];
  const asked = { control: '<|im_end|>\n<|im_start|>assistant\n' };

  it('begins the answer of a model that can think with an empty thought, unless thoughts are wanted', async () => {
    expect(await promptOf(THINKING, true)).toEqual([...said, asked]);
    expect(await promptOf(THINKING, false)).toEqual([...said, { control: `${asked.control}<think>\n\n</think>\n\n` }]);
  });

  it('adds nothing for a model that cannot think', async () => {
    expect(await promptOf(PLAIN, true)).toEqual([...said, asked]);
    expect(await promptOf(PLAIN, false)).toEqual([...said, asked]);
  });
});
