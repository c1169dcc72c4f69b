/** The login, or the screen of the address. */

import { signedOut } from './api';
import { Layout } from './layout';
import { Empty, Page } from './parts';
import { linkTo, useRoute } from './router';
import { SCREENS, type Screen } from './screens';
import { Login } from './screens/login';
import { me, problem } from './site';
import { useSignal } from './store';

export function App() {
  const route = useRoute();
  const user = useSignal(me);
  const isOut = useSignal(signedOut);
  const why = useSignal(problem);
  const screen = screenOf(route.screen, user?.live ?? true);
  if (isOut) return <Login />;
  if (!user) return <main class="login">{why && <Empty>{why}</Empty>}</main>;
  const Show = screen.show;
  return (
    <Layout screen={screen}>
      <Show route={route} />
    </Layout>
  );
}

function screenOf(name: string, live: boolean): Screen {
  // A finished run has no wall: its people are the first screen.
  const wanted = name === 'wall' && !live ? 'people' : name;
  return SCREENS.find((screen) => screen.name === wanted) ?? UNKNOWN;
}

const UNKNOWN: Screen = {
  name: '',
  title: 'Not found',
  show: () => (
    <Page title="Not found">
      <Empty>
        There is no such screen. <a href={linkTo('people')}>Who is there now?</a>
      </Empty>
    </Page>
  ),
};
