/** Single keys as shortcuts; users can turn them off. */

import { useLayoutEffect } from 'preact/hooks';
import { shortcuts } from './settings';

/** Call what stands at the pressed key, unless the user writes or a dialog is open. */
export function useKeys(keys: Record<string, () => void>): void {
  // As soon as what a key refers to is drawn, and not after the next picture.
  useLayoutEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const act = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
      if (!act || event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
      event.preventDefault();
      act();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  });
}

function isTaken(event: KeyboardEvent): boolean {
  const at = event.target as HTMLElement;
  const isWritten = at.matches?.('input, select, textarea, [contenteditable]');
  const isLetter = event.key.length === 1;
  return isWritten || (isLetter && !shortcuts.get()) || document.querySelector('dialog[open]') !== null;
}
