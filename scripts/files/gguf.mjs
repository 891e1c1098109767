// The GGUF container, version 3, as far as writing one needs it: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import { closeSync, openSync, writeSync } from 'node:fs';

const MAGIC = 'GGUF';
const VERSION = 3;
const ALIGNMENT = 32;
const TYPE = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 };
export const TENSOR_F32 = 0;
export const TENSOR_F16 = 1;

/** Writes a GGUF file: `tensors` as { name, shape (fastest axis first), type, bytes }, `metadata` as entries made below. */
export function writeGguf(outFile, tensors, metadata) {
  const head = [Buffer.from(MAGIC), u32(VERSION), u64(tensors.length), u64(metadata.length), ...metadata];
  let offset = 0;
  for (const { name, shape, type, bytes } of tensors) {
    head.push(encode.string(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset));
    offset += bytes.length + padding(bytes.length);
  }
  const file = openSync(outFile, 'w');
  try {
    for (const bytes of [Buffer.concat(head), ...tensors.map((tensor) => tensor.bytes)]) {
      writeAll(file, bytes);
      writeAll(file, Buffer.alloc(padding(bytes.length)));
    }
  } finally {
    closeSync(file);
  }
}

function writeAll(file, bytes) {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

/** One value of the metadata. */
export function entry(key, type, value) {
  if (value === undefined) throw new Error(`the model's settings lack what "${key}" needs`);
  return Buffer.concat([encode.string(key), u32(TYPE[type]), encode[type](value)]);
}

/** An array of the metadata. */
export function arrayEntry(key, type, values) {
  return Buffer.concat([encode.string(key), u32(TYPE.array), u32(TYPE[type]), u64(values.length), ...values.map(encode[type])]);
}

const encode = {
  string: (text) => {
    const bytes = Buffer.from(text, 'utf8');
    return Buffer.concat([u64(bytes.length), bytes]);
  },
  bool: (value) => Buffer.from([value ? 1 : 0]),
  u32: (value) => u32(value),
  i32: (value) => allocate(4, (buffer) => buffer.writeInt32LE(value)),
  f32: (value) => allocate(4, (buffer) => buffer.writeFloatLE(value)),
};

function u32(value) {
  return allocate(4, (buffer) => buffer.writeUInt32LE(value));
}

function u64(value) {
  return allocate(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)));
}

function allocate(bytes, fill) {
  const buffer = Buffer.alloc(bytes);
  fill(buffer);
  return buffer;
}

function padding(length) {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}
