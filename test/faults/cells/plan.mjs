// Which cells there are, and which of them say nothing.
import { POINTS } from '../failpoints/switchboard.mjs';

export const VICTIMS = ['worker', 'api', 'postgres', 'rabbitmq'];
export const FAULTS = ['kill', 'stop', 'cut'];

const across = (points, victims, faults) =>
  points.flatMap((point) => victims.flatMap((victim) => faults.map((fault) => ({ point, victim, fault }))));

/** A process's wall clock is set by two hours, forward or back, in the middle of the work. */
export const clockCells = () => across(['P2', 'P8', 'P12', 'Q2'], ['worker', 'api'], ['+2h', '-2h']);

/** The disk of a server is full for five seconds: PostgreSQL's to the last byte, RabbitMQ's so that it blocks its publishers. */
export const diskCells = () => across(['P0', 'P5', 'P11', 'Q2'], ['postgres', 'rabbitmq'], ['full']);

const EARLY = 'at this point nothing of the job exists outside of the API and its connection to the database';
/** Victims that have no part in a point, with the reason. */
const WITHOUT = { P0: { worker: EARLY, rabbitmq: EARLY }, P1: { worker: EARLY, rabbitmq: EARLY } };

export const POINT_NAMES = POINTS.map(({ point }) => point);
export const nameOf = ({ point, victim, fault }) => `${point}/${victim}/${fault}`;

/** { cells, left: [{ cell, why }] }, in the order of the points. */
export function everyCell() {
  const all = across(POINT_NAMES, VICTIMS, FAULTS);
  const why = ({ point, victim }) => WITHOUT[point]?.[victim];
  return {
    cells: all.filter((cell) => why(cell) === undefined),
    left: all.flatMap((cell) => (why(cell) ? [{ cell, why: why(cell) }] : [])),
  };
}

const SMOKE = 30;

/** Thirty cells: every point at least once, every victim with every fault at least twice. */
export function smokeCells() {
  const { cells } = everyCell();
  const pairs = VICTIMS.flatMap((victim) => FAULTS.map((fault) => ({ victim, fault })));
  const chosen = [];
  const take = (wanted) => {
    const found = cells.find((cell) => wanted(cell) && !chosen.includes(cell));
    if (found !== undefined) chosen.push(found);
  };
  // Five and twelve have no common part: the pairs go round once in twelve points, in an order that mixes victims and faults.
  const pairOf = (turn) => pairs[(turn * 5) % pairs.length];
  POINT_NAMES.forEach((point, turn) => {
    const before = chosen.length;
    for (let further = 0; chosen.length === before; further += 1) {
      const { victim, fault } = pairOf(turn + further);
      take((cell) => cell.point === point && cell.victim === victim && cell.fault === fault);
    }
  });
  const used = ({ victim, fault }) => chosen.filter((cell) => cell.victim === victim && cell.fault === fault).length;
  while (chosen.length < SMOKE) {
    const [{ victim, fault }] = pairs.toSorted((one, other) => used(one) - used(other));
    // The points in which each other's process waits are the most telling ones.
    const points = ['P8', 'P12', 'P6', 'P13', 'P11', 'Q2', 'P2', 'P5', 'Q5'];
    const point = points.find((each) => !chosen.some((cell) => cell.point === each && cell.victim === victim && cell.fault === fault));
    take((cell) => cell.point === point && cell.victim === victim && cell.fault === fault);
  }
  return chosen;
}
