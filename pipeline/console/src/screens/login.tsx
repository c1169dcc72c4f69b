/** The login, where the API has a token. */

import { useState } from 'preact/hooks';
import { post, problemOf } from '../api';
import { Problem, useTitle } from '../parts';
import { start } from '../site';

export function Login() {
  const [token, setToken] = useState('');
  const [why, setWhy] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await post('login', { token });
      await start();
    } catch (error) {
      setWhy(problemOf(error));
    }
    setBusy(false);
  };
  useTitle('Log in');
  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)}>
        <img src="./console/icon.svg" alt="" />
        <h1>fusetrack</h1>
        <label>
          Token
          <input
            type="password"
            name="token"
            autocomplete="current-password"
            autofocus
            required
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {why && <Problem>{why}</Problem>}
        <button type="submit" class="primary" disabled={busy}>
          Log in
        </button>
        <p class="soft">Whoever runs this site has the token: it stands in the site file or the environment.</p>
      </form>
    </main>
  );
}
