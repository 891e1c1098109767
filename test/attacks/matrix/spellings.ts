/** Another way to write a request, by which a guard that looked at the path would be passed by. */
export interface Spelling {
  name: string;
  /** What stands on the request line instead of the path. */
  target?: (path: string, origin: string) => string;
  method?: string;
  headers?: (path: string, secret: string) => Record<string, string>;
  /** The router must still lead it to the route itself: the answer is exactly the route's own. */
  same?: true;
}

/** Methods that a route may lack; those that the path has are routes of their own. */
export const OTHER_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];

const firstSegment = (path: string): string => path.split('/')[1] ?? '';
const encoded = (text: string): string => [...text].map((sign) => `%${sign.charCodeAt(0).toString(16)}`).join('');

const PATHS: Spelling[] = [
  { name: 'trailing slash', target: (path) => `${path}/` },
  { name: 'two trailing slashes', target: (path) => `${path}//` },
  { name: 'doubled first slash', target: (path) => `/${path}` },
  { name: 'doubled inner slash', target: (path) => path.replace(/(.)\//, '$1//') },
  {
    name: 'an encoded letter',
    target: (path) => path.replace(firstSegment(path), (name) => `%${name.charCodeAt(0).toString(16)}${name.slice(1)}`),
  },
  { name: 'a segment encoded', target: (path) => path.replace(firstSegment(path), encoded) },
  { name: 'an encoded slash', target: (path) => `/${path.slice(1).replace('/', '%2F')}` },
  {
    name: 'encoded twice',
    target: (path) => path.replace(firstSegment(path), (name) => `%25${name.charCodeAt(0).toString(16)}${name.slice(1)}`),
  },
  { name: 'upper case', target: (path) => path.toUpperCase() },
  { name: 'a parameter of the path', target: (path) => `${path};x=1` },
  { name: 'a parameter within the path', target: (path) => path.replace(/(.)\//, '$1;x=1/') },
  { name: 'a dot segment', target: (path) => path.replace(/(.)\//, '$1/./') },
  { name: 'a parent segment', target: (path) => `/livez/..${path}` },
  { name: 'an encoded parent segment', target: (path) => `/livez/%2e%2e${path}` },
  { name: 'a parent segment behind a backslash', target: (path) => `/docs\\..${path}` },
  { name: 'a space', target: (path) => `${path}%20` },
  { name: 'a NUL', target: (path) => `${path}%00` },
  { name: 'a line end', target: (path) => `${path}%0d%0a` },
  { name: 'a suffix', target: (path) => `${path}.json` },
  { name: 'a fragment', target: (path) => `${path}%23` },
  { name: 'an absolute target', target: (path, origin) => `${origin}${path}` },
  { name: 'an absolute target elsewhere', target: (path) => `http://evil.example${path}` },
  { name: 'a prefix that is public', target: (path) => `/docs${path}` },
];

const HEADERS: Spelling[] = [
  { name: 'a token in the query', target: (path) => `${path}?access_token=SECRET&token=SECRET&api_key=SECRET` },
  { name: 'another method in the query', target: (path) => `${path}?_method=GET` },
  {
    name: 'keys in other headers',
    headers: (_, secret) => ({ 'x-api-key': secret, cookie: `access_token=${secret}`, 'x-auth-token': secret }),
    same: true,
  },
  {
    name: 'another method in headers',
    headers: () => ({ 'x-http-method-override': 'GET', 'x-method-override': 'OPTIONS', 'x-http-method': 'HEAD' }),
    same: true,
  },
  {
    name: 'another path in headers',
    headers: () => ({ 'x-original-url': '/livez', 'x-rewrite-url': '/livez', 'x-forwarded-prefix': '/docs' }),
    same: true,
  },
  {
    name: 'a forwarded address',
    headers: () => ({
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      forwarded: 'for=127.0.0.1;host=localhost',
      'x-forwarded-host': 'localhost',
    }),
    same: true,
  },
  {
    name: 'a forwarded user',
    headers: () => ({ 'x-user-id': '1', 'x-remote-user': 'admin', 'x-forwarded-user': 'admin', 'x-role': 'owner' }),
    same: true,
  },
  { name: 'a public path that names it', target: () => '/livez', headers: (path) => ({ 'x-original-url': path, 'x-rewrite-url': path }) },
];

export const SPELLINGS: Spelling[] = [...PATHS, ...HEADERS];
