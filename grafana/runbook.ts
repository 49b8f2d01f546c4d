/** The runbook as a dashboard, so that a panel's link to it works wherever Grafana runs. */
import { headJson } from './dashboard.ts';
import { RUNBOOK_UID, runbookPanelId } from './panel.ts';

/** @param markdown whose headings of the second level name an alert each, and nothing else */
export function runbookJson(markdown: string): object {
  let y = 0;
  const panels = entriesOf(markdown).map(({ alert, text }) => {
    const h = 4 + Math.ceil(text.length / 180) + text.split('\n').length;
    const panel = {
      id: runbookPanelId(alert),
      type: 'text',
      title: alert,
      description: `What to do when ${alert} fires.`,
      gridPos: { x: 0, y, w: 24, h },
      options: { mode: 'markdown', content: text },
    };
    y += h;
    return panel;
  });
  return {
    ...headJson({ uid: RUNBOOK_UID, title: 'Runbook', question: 'An alert has fired: what now?' }),
    refresh: '',
    templating: { list: [] },
    panels,
  };
}

/** Of each alert that the runbook names. */
export function entriesOf(markdown: string): { readonly alert: string; readonly text: string }[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...lines] = section.split('\n');
      return { alert: heading.trim(), text: lines.join('\n').trim() };
    })
    .filter(({ alert }) => /^Sluice\w+$/.test(alert));
}
