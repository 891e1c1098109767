export { listAnswer, type ListAnswer, type Page, type PageQuery } from './page';
