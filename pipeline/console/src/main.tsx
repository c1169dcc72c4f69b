import { render } from 'preact';
import { App } from './app';
import { applyTheme } from './settings';
import { start } from './site';
import './styles/base.css';
import './styles/layout.css';
import './styles/parts.css';

applyTheme();
void start();
render(<App />, document.getElementById('app')!);
