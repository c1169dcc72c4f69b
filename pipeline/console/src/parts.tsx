/** Small parts that every screen is made of. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { colourOf } from './colours';
import { Icon, type IconName } from './icons';
import { me } from './site';
import { useSignal } from './store';

/** Name the page in the tab and the history, with its site. */
export function useTitle(title: string): void {
  const site = useSignal(me)?.site || 'fusetrack';
  useEffect(() => {
    document.title = `${title} · ${site}`;
  }, [title, site]);
}

/** A screen with its heading, and what can be done with it on the right. */
export function Page(props: {
  title: string;
  /** Before the title. */
  mark?: ComponentChildren;
  /** Beside the title. */
  note?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  useTitle(props.title);
  return (
    <div class="page">
      <header class="page-head">
        {props.mark}
        <h1>{props.title}</h1>
        {props.note && <p class="soft">{props.note}</p>}
        {props.actions && <div class="actions">{props.actions}</div>}
      </header>
      {props.children}
    </div>
  );
}

/** What stands where there is nothing to show: why, and what to do. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** What went wrong; screen readers say it at once. */
export function Problem({ children }: { children: ComponentChildren }) {
  return (
    <p class="problem" role="alert">
      <Icon name="warning" /> <span>{children}</span>
    </p>
  );
}

/** The global id on the colour of the person. */
export function PersonMark({ id }: { id: number | null }) {
  return (
    <span class="mark" style={{ background: colourOf(id) }}>
      {id ?? '?'}
    </span>
  );
}

/** A button that is only an icon. */
export function IconButton(props: {
  icon: IconName;
  label: string;
  onClick: () => void;
  pressed?: boolean;
}) {
  return (
    <button
      type="button"
      class="icon-button"
      title={props.label}
      aria-label={props.label}
      aria-pressed={props.pressed}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
    </button>
  );
}

/** A dialog above the page; Escape and the cross close it, and the focus goes back. */
export function Dialog(props: {
  title: string;
  /** As wide as a picture needs. */
  wide?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = box.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={box} class={props.wide ? 'wide' : undefined} aria-label={props.title} onClose={props.onClose}>
      <header>
        <h2>{props.title}</h2>
        <IconButton icon="close" label="Close" onClick={props.onClose} />
      </header>
      {props.children}
    </dialog>
  );
}
