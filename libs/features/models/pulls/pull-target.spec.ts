import type { AppConfig } from '@kernel/config';
import { pullTarget } from './pull-target';

const settings = (allow: string[], url?: string) =>
  ({ models: { allow }, ollama: { urls: url === undefined ? [] : [url] } }) as unknown as AppConfig;
const OLLAMA = 'http://127.0.0.1:11434';

describe('pullTarget', () => {
  it.each([
    ['qwen3-8b', 'qwen3-8b', 'ollama', 'qwen3:8b'],
    ['qwen3:8b', 'qwen3-8b', 'ollama', 'qwen3:8b'],
    ['qwen3:latest', 'qwen3-8b', 'ollama', 'qwen3:8b'],
    ['tinyllama', 'tinyllama', 'ollama', 'tinyllama'],
    ['llama3.2:1b', 'llama3.2:1b', 'ollama', 'llama3.2:1b'],
    ['hf.co/maker/Model-GGUF:Q4_K_M', 'hf.co-maker-model-gguf:q4_k_m', 'ollama', 'hf.co/maker/Model-GGUF:Q4_K_M'],
  ])('%s becomes %s of %s', (given, model, runtime, name) => {
    const config = settings(['tinyllama:latest', 'llama3.2:*', 'hf.co/maker/*'], OLLAMA);
    expect(pullTarget(given, config)).toMatchObject({ model, runtime, name });
  });

  it('takes the catalogue without Ollama, with its licence and size', () => {
    expect(pullTarget('qwen3-0.6b', settings([]))).toEqual({
      model: 'qwen3-0.6b',
      runtime: 'llama.cpp',
      name: 'Qwen3-0.6B-Q8_0.gguf',
      license: 'Apache-2.0',
      bytes: 639_446_688,
    });
    expect(() => pullTarget('tinyllama', settings(['*']))).toThrow(expect.objectContaining({ code: 'unprocessable' }));
  });

  it.each(['tinyllama', 'llama3.2:1b', 'qwen3:8b-evil', 'someone/qwen3'])('refuses %s, which nobody allowed', (name) => {
    expect(() => pullTarget(name, settings(['llama3.1:*'], OLLAMA))).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });

  it.each(['evil.example/library/model', 'evil.example:5000/a/b:c', '127.0.0.1:8080/a/b'])(
    'refuses the registry %s even where any text is allowed',
    (name) => {
      expect(() => pullTarget(name, settings(['*'], OLLAMA))).toThrow(expect.objectContaining({ code: 'forbidden' }));
    },
  );

  it.each(['../../etc/passwd', 'http://evil.example/a/b', 'a b', 'a/b/c/d', '-x', 'model@sha256:00', 'a\nb', 'ä', `a${'b'.repeat(200)}`])(
    'refuses %j, which is no name',
    (name) => {
      expect(() => pullTarget(name, settings(['*'], OLLAMA))).toThrow(expect.objectContaining({ code: 'invalid' }));
    },
  );
});
