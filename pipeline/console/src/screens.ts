/** The screens by the first word of their address, in the order of the menu. */

import type { ComponentType } from 'preact';
import type { IconName } from './icons';
import type { Route } from './router';
import { Calibrate } from './screens/calibrate';
import { SiteMap } from './screens/map';
import { People } from './screens/people';
import { Person } from './screens/person';
import { Review } from './screens/review';
import { Search } from './screens/search';
import { System } from './screens/system';
import { Wall } from './screens/wall';

export interface Screen {
  name: string;
  title: string;
  show: ComponentType<{ route: Route }>;
  /** Its icon and key in the menu; without one it is reached from other screens. */
  menu?: { icon: IconName; key: string };
  /** Whether it needs a live site. */
  live?: boolean;
}

export const SCREENS: readonly Screen[] = [
  { name: 'wall', title: 'Wall', show: Wall, menu: { icon: 'wall', key: 'w' }, live: true },
  { name: 'people', title: 'People', show: People, menu: { icon: 'people', key: 'p' } },
  { name: 'person', title: 'Person', show: Person },
  { name: 'map', title: 'Map', show: SiteMap, menu: { icon: 'map', key: 'm' } },
  { name: 'search', title: 'Search', show: Search, menu: { icon: 'search', key: 's' } },
  { name: 'review', title: 'Review', show: Review, menu: { icon: 'review', key: 'r' } },
  { name: 'system', title: 'System', show: System, menu: { icon: 'system', key: 'y' } },
  { name: 'calibrate', title: 'Calibrate', show: Calibrate },
];
