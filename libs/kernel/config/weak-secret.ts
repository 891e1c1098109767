/** Fewer characters than this, or fewer different ones, can be guessed. */
const SHORTEST = 32;
const FEWEST_DIFFERENT = 10;

/** Words of secrets that examples, tutorials and other products ship; any secret that holds one counts as published. */
const PUBLISHED = [
  'changeme',
  'change_me',
  'change-me',
  'changethis',
  'change-this',
  'change_this',
  'secretkey',
  'secret-key',
  'secret_key',
  'jwtsecret',
  'jwt-secret',
  'jwt_secret',
  'mysecret',
  'my-secret',
  'my_secret',
  'yoursecret',
  'your-secret',
  'your_secret',
  'string-secret',
  '256-bits',
  'your-256-bit',
  'your-384-bit',
  'your-512-bit',
  'supersecret',
  'super-secret',
  'super_secret',
  'topsecret',
  'verysecret',
  'placeholder',
  'replace',
  'example',
  'password',
  'default',
  'sutazai',
  'insecure',
  'not-secret',
  'notsecret',
  'development',
  'testtest',
  'abcdefgh',
  '0123456789',
  '1234567890',
  'qwerty',
  'deadbeef',
  'lorem',
  'letmein',
];

/** What is wrong with a signing secret, or undefined. The words never repeat the secret. */
export function weakness(secret: string): string | undefined {
  if (secret.length < SHORTEST) return `must have at least ${SHORTEST} characters.`;
  if (new Set(secret).size < FEWEST_DIFFERENT) return 'repeats too few characters to be a secret.';
  const lower = secret.toLowerCase();
  if (PUBLISHED.some((word) => lower.includes(word)))
    return 'looks like the secret of an example: make your own with "openssl rand -base64 48".';
  return undefined;
}
