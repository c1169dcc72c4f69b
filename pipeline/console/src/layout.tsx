/** The frame of every screen: the menu, the state of the connection, and the settings. */

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { post, problemOf } from './api';
import { Icon } from './icons';
import { useKeys } from './keys';
import { Dialog } from './parts';
import { go, linkTo } from './router';
import { SCREENS, type Screen } from './screens';
import { shortcuts, theme, timeZone, timeZones, wallFps, zoneName, type Theme } from './settings';
import { isKnown, me, problem, siteNow } from './site';
import { useSignal } from './store';
import { useClock } from './time';

export function Layout({ screen, children }: { screen: Screen; children: ComponentChildren }) {
  const user = useSignal(me);
  const [open, setOpen] = useState<'settings' | 'keys' | null>(null);
  const menu = SCREENS.filter(({ menu, live }) => menu && (user?.live || !live));
  useKeys({
    ...Object.fromEntries(menu.map(({ name, menu }) => [menu!.key, () => go(linkTo(name))])),
    '?': () => setOpen('keys'),
  });
  return (
    <div class="frame">
      <a class="skip" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <nav class="menu" aria-label="Screens">
        <a class="brand" href={linkTo('wall')}>
          <img src="./console/icon.svg" alt="" />
          <span class="brand-name">{user?.site || 'fusetrack'}</span>
        </a>
        <ul>
          {menu.map(({ name, title, menu }) => (
            <li key={name}>
              <a href={linkTo(name)} aria-current={screen.name === name ? 'page' : undefined}>
                <Icon name={menu!.icon} />
                <span>{title}</span>
              </a>
            </li>
          ))}
        </ul>
        <div class="menu-foot">
          <Connection />
          <button type="button" class="menu-button" onClick={() => setOpen('settings')}>
            <Icon name="settings" />
            <span>Settings</span>
          </button>
          {user?.login && <Logout name={user.name} />}
        </div>
      </nav>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      {open === 'settings' && <Settings onClose={() => setOpen(null)} />}
      {open === 'keys' && <Keys screens={menu} onClose={() => setOpen(null)} />}
    </div>
  );
}

function skip(event: Event): void {
  // The hash of the address is the screen.
  event.preventDefault();
  document.getElementById('content')?.focus();
}

/** The time of the site, or why nothing comes from it. */
function Connection() {
  const why = useSignal(problem);
  const now = useSignal(siteNow);
  const clock = useClock();
  const waits = useSignal(isKnown) ? 'waiting for the first message' : 'connecting…';
  const text = why ?? (now === null ? waits : clock.time(now));
  return (
    <p class={why ? 'connection lost' : 'connection'} role={why ? 'alert' : undefined} title={why ?? clock.zone}>
      <i class="dot" /> <span>{text}</span>
    </p>
  );
}

function Logout({ name }: { name: string }) {
  const [failed, setFailed] = useState<string | null>(null);
  const leave = async () => {
    try {
      await post('logout');
      location.reload();
    } catch (error) {
      setFailed(problemOf(error));
    }
  };
  return (
    <button type="button" class="menu-button" onClick={() => void leave()} title={failed ?? undefined}>
      <Icon name="logout" />
      <span>Log out {name}</span>
    </button>
  );
}

function Settings({ onClose }: { onClose: () => void }) {
  const chosen = useSignal(theme);
  const zone = useSignal(timeZone);
  const single = useSignal(shortcuts);
  const fps = useSignal(wallFps);
  return (
    <Dialog title="Settings" onClose={onClose}>
      <div class="form">
        <label>
          Colours
          <select value={chosen} onChange={(event) => theme.set(event.currentTarget.value as Theme)}>
            <option value="system">As the system</option>
            <option value="light">Light</option>
            <option value="dark">Dark</option>
          </select>
        </label>
        <label>
          Time zone
          <select value={zone} onChange={(event) => timeZone.set(event.currentTarget.value)}>
            <option value="">Of this browser ({zoneName()})</option>
            {timeZones().map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          Pictures a second on the wall
          <select value={fps} onChange={(event) => wallFps.set(Number(event.currentTarget.value))}>
            {[1, 2, 5, 10, 25].map((count) => (
              <option key={count} value={count}>
                {count}
              </option>
            ))}
          </select>
        </label>
        <label class="tick">
          <input
            type="checkbox"
            checked={single}
            onChange={(event) => shortcuts.set(event.currentTarget.checked)}
          />
          Single keys are shortcuts; ? lists them
        </label>
      </div>
    </Dialog>
  );
}

function Keys({ screens, onClose }: { screens: readonly Screen[]; onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {screens.map(({ title, menu }) => (
          <div key={title}>
            <dt>
              <kbd>{menu!.key}</kbd>
            </dt>
            <dd>{title}</dd>
          </div>
        ))}
        {OTHER_KEYS.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

const OTHER_KEYS = [
  ['←↑→↓', 'Another camera of the wall'],
  ['Enter', 'Enlarge it'],
  ['Esc', 'Back, close'],
  ['?', 'This list'],
] as const;
