import { dispositionName } from './content-disposition';

describe('dispositionName', () => {
  it.each([
    [undefined, null],
    ['attachment', null],
    ['attachment; filename=report.pdf', 'report.pdf'],
    ['attachment; filename="a; b.pdf"', 'a; b.pdf'],
    ['attachment; filename="a \\"b\\".pdf"', 'a "b".pdf'],
    [`attachment; filename="x.pdf"; filename*=UTF-8''%C3%A4%20%E2%82%AC.pdf`, 'ä €.pdf'],
    [`attachment; filename*=iso-8859-1'en'%A3.txt`, '£.txt'],
    [`attachment; filename="fallback.txt"; filename*=UTF-8''%ff%fe`, 'fallback.txt'],
    [`inline; filename="${Buffer.from('Überblick.md').toString('latin1')}"`, 'Überblick.md'],
  ])('%s', (header, name) => expect(dispositionName(header)).toBe(name));
});
