import { AppError } from '@kernel/errors';
import { EgressRules } from './egress.rules';

const refused = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return 'passed';
};
const rules = (...allow: string[]): EgressRules => new EgressRules(allow);

/** Spellings of places that are not public; a URL parser reads the odd ones as addresses. */
const SPELLINGS = `http://127.0.0.1/ http://127.1/ http://127.0.1/ http://2130706433/ http://0x7f000001/ http://0x7f.1/ http://0177.0.0.1/
  http://017700000001/ http://0/ http://0.0.0.0/ http://127.0.0.1./ http://%31%32%37.0.0.1/ http://①②⑦.⓪.⓪.①/ http://127。0。0。1/
  http://localhost/ http://LOCALHOST/ http://localhost./ http://a.localhost/ http://[::1]/ http://[::]/ http://[0:0:0:0:0:0:0:1]/
  http://[::ffff:127.0.0.1]/ http://[::ffff:7f00:1]/ http://[::127.0.0.1]/ http://[::ffff:169.254.169.254]/ http://[::ffff:a9fe:a9fe]/
  http://[64:ff9b::127.0.0.1]/ http://[64:ff9b::7f00:1]/ http://[64:ff9b:1::a00:1]/ http://[2002:7f00:1::]/ http://[2001:0:7f00:1::]/
  http://[fe80::1]/ http://[fec0::1]/ http://[fc00::1]/ http://[fd00:ec2::254]/ http://[ff02::1]/ http://[2001:db8::1]/ http://[100::1]/
  http://10.0.0.1/ http://10.1/ http://172.16.0.1/ http://172.31.255.255/ http://192.168.0.1/ http://192.168.1/ http://169.254.169.254/
  http://169.254.169.254/latest/meta-data/ http://2852039166/ http://0xa9fea9fe/ http://0251.0376.0251.0376/ http://100.64.0.1/
  http://100.100.100.200/ http://168.63.129.16/ http://192.0.0.192/ http://192.0.2.1/ http://192.88.99.1/ http://198.18.0.1/ http://198.51.100.1/
  http://203.0.113.1/ http://224.0.0.1/ http://240.0.0.1/ http://255.255.255.255/ https://127.0.0.1/ http://1.1.1.1:22/ https://1.1.1.1:6379/
  http://example.org:8080/ http://user@example.org/ http://user:word@example.org/ http://:word@example.org/ ftp://example.org/ file:///etc/passwd
  gopher://example.org/ data:text/plain,hello javascript:1 blob:http://example.org/x ws://example.org/ //example.org/ example.org /etc/passwd`.split(
  /\s+/u,
);

describe('EgressRules', () => {
  it(`refuses ${SPELLINGS.length} spellings before anybody is asked`, () => {
    expect(SPELLINGS.length).toBeGreaterThan(60);
    expect(SPELLINGS.filter((url) => refused(() => rules().checked(url)) !== 'egress_blocked')).toEqual([]);
  });

  it('lets public addresses and names pass on their usual ports', () => {
    for (const url of [
      'http://1.1.1.1/',
      'https://1.1.1.1:443/x?y=1',
      'http://example.org:80/',
      'https://example.org/a#b',
      'http://[2606:4700::1]/',
    ])
      expect(refused(() => rules().checked(url))).toBe('passed');
    expect(rules().checked('HTTPS://Example.ORG/a b#c').href).toBe('https://example.org/a%20b');
  });

  it('says nothing of what a name leads to', () => {
    const url = rules().checked('http://example.org/');
    expect(() => rules().check(url, ['10.9.8.7'])).toThrow(expect.objectContaining({ message: expect.not.stringContaining('10.9.8.7') }));
  });

  it('judges every address of a host', () => {
    const url = rules().checked('http://example.org/');
    expect(refused(() => rules().check(url, ['1.1.1.1', '2606:4700::1']))).toBe('passed');
    expect(refused(() => rules().check(url, ['1.1.1.1', '127.0.0.1']))).toBe('egress_blocked');
    expect(refused(() => rules().check(url, ['1.1.1.1', '::ffff:7f00:1']))).toBe('egress_blocked');
    expect(refused(() => rules().check(url, ['']))).toBe('egress_blocked');
  });

  it('allows a network by its bits and on any port, and nothing beside it', () => {
    const own = rules('10.1.0.0/16', '192.168.7.7', 'fd12::/16');
    for (const url of ['http://10.1.2.3:8080/', 'http://192.168.7.7:9/', 'http://[fd12::1]:3000/', 'http://[::ffff:10.1.0.1]/'])
      expect([url, refused(() => own.checked(url))]).toEqual([url, 'passed']);
    for (const url of [
      'http://10.2.0.1/',
      'http://192.168.7.77/',
      'http://[fd13::1]/',
      'http://11.2.3.45:8080/',
      'http://localhost/',
      'http://1.1.1.1:8080/',
    ])
      expect([url, refused(() => own.checked(url))]).toEqual([url, 'egress_blocked']);
    expect(refused(() => own.check(own.checked('http://example.org/'), ['10.1.0.9', '10.2.0.9']))).toBe('egress_blocked');
    expect(refused(() => own.check(own.checked('http://example.org:8080/'), ['1.1.1.1']))).toBe('egress_blocked');
  });

  it('allows a host by its whole name', () => {
    const own = rules('wiki.example.org');
    expect(refused(() => own.checked('http://WIKI.example.org.:8080/'))).toBe('passed');
    expect(refused(() => own.check(own.checked('http://wiki.example.org/'), ['10.0.0.1']))).toBe('passed');
    for (const host of ['evilwiki.example.org', 'wiki.example.org.evil.test', 'a.wiki.example.org'])
      expect(refused(() => own.check(own.checked(`http://${host}/`), ['10.0.0.1']))).toBe('egress_blocked');
  });
});
