/** What the site runs on: cameras and their delays, what waits in Redis, and the storage. */

import type { ComponentChildren } from 'preact';
import { Empty, Page, Problem } from '../parts';
import { usePolled } from '../polling';
import { linkTo } from '../router';
import { cameras } from '../site';
import { useSignal } from '../store';
import { useClock } from '../time';
import type { Camera, System as SystemAnswer } from '../types';
import '../styles/system.css';

const EVERY_S = 5;
const GOOD = ['running', 'complete'];

export function System() {
  const { data, problem } = usePolled<SystemAnswer>('system', EVERY_S);
  const all = useSignal(cameras);
  return (
    <Page title="System" {...(data ? { note: `fusetrack ${data.version}` } : {})}>
      {problem && <Problem>{problem}</Problem>}
      {data?.redis?.fault && <Problem>{data.redis.fault}</Problem>}
      <section>
        <h2>Cameras</h2>
        {all.length === 0 ? <Empty>This site has no cameras yet.</Empty> : <Cameras all={all} />}
      </section>
      {data?.redis && !data.redis.fault && <Redis redis={data.redis} />}
      {data?.storage && <Storage storage={data.storage} />}
    </Page>
  );
}

function Cameras({ all }: { all: readonly Camera[] }) {
  const clock = useClock();
  return (
    <Table head={['Camera', 'State', 'Frames a second', 'Delay', 'Left out', 'Since', '']} label="Cameras">
      {all.map((camera) => (
        <tr key={camera.id}>
          <th scope="row">{camera.id}</th>
          <td>
            <span class={GOOD.includes(camera.state) && !camera.overloaded ? 'good' : 'bad'}>{camera.state}</span>
            {camera.reason && <span class="soft"> {camera.reason}</span>}
          </td>
          <td class="number">
            {camera.followed_fps === null
              ? camera.fps.toFixed(1)
              : `${camera.followed_fps.toFixed(1)} of ${camera.fps.toFixed(1)}`}
          </td>
          <td class="number">{camera.delay_s === null ? '' : `${camera.delay_s.toFixed(2)} s`}</td>
          <td class="number">
            {camera.dropped}
            {camera.overloaded && <strong class="bad"> overloaded</strong>}
          </td>
          <td>{camera.since === null ? '' : clock.full(camera.since)}</td>
          <td>
            <a class="button" href={linkTo('calibrate', camera.id)}>
              Calibrate<span class="visually-hidden"> {camera.id}</span>
            </a>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Redis({ redis }: { redis: NonNullable<SystemAnswer['redis']> }) {
  return (
    <section>
      <h2>Redis</h2>
      <p class="soft">
        {redis.parts.length ? `Parts: ${redis.parts.join(', ')}. ` : ''}
        {redis.memory !== null && `${bytesText(redis.memory)} of memory. `}
        {redis.dead ? `${redis.dead} invalid messages.` : 'No invalid messages.'}
      </p>
      <Table head={['Stream', 'Messages', 'Read and not done']} label="Streams">
        {redis.streams.map(({ stream, length, pending }) => (
          <tr key={stream}>
            <th scope="row">{stream}</th>
            <td class="number">{length}</td>
            <td class="number">{pending}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Storage({ storage }: { storage: NonNullable<SystemAnswer['storage']> }) {
  const used = storage.stored.reduce((sum, { bytes }) => sum + bytes, 0);
  return (
    <section>
      <h2>Storage of {storage.name}</h2>
      <p class="soft">
        {bytesText(used)} in the run directory; {bytesText(storage.free)} of {bytesText(storage.total)} are free on
        its disk.
      </p>
      <meter
        min={0}
        max={storage.total}
        high={storage.total * 0.9}
        value={storage.total - storage.free}
        aria-label="Disk in use"
      />
      <Table head={['What', 'Size', 'Files']} label="Storage">
        {storage.stored
          .filter(({ files }) => files > 0)
          .map(({ kind, bytes, files }) => (
            <tr key={kind}>
              <th scope="row">{kind}</th>
              <td class="number">{bytesText(bytes)}</td>
              <td class="number">{files}</td>
            </tr>
          ))}
      </Table>
    </section>
  );
}

function Table(props: { head: string[]; label: string; children: ComponentChildren }) {
  return (
    <div class="table" role="region" aria-label={props.label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {props.head.map((text) => (
              <th key={text} scope="col">
                {text || <span class="visually-hidden">What to do</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}

function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  while (value >= 1000 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value >= 100 || value === bytes ? Math.round(value) : value.toFixed(1)} ${units[0]}`;
}
