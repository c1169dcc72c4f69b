import { render } from 'preact';
import { App } from './app';
import { start } from './site';
import './styles/base.css';
import './styles/layout.css';
import './styles/parts.css';

void start();
render(<App />, document.getElementById('app')!);
