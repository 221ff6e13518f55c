/** deploy/grafana/dashboard.json: its queries, as Grafana would send them. */
import { readProjectFile } from './project.js';

export interface PanelQuery {
  readonly panel: string;
  readonly expression: string;
}

/** What stands where on the dashboard. */
export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

function readDashboard(): Dashboard {
  return JSON.parse(readProjectFile('deploy/grafana/dashboard.json')) as Dashboard;
}

/** All panels, the headings of rows among them. */
export function dashboardPanels(): readonly Panel[] {
  return readDashboard().panels;
}

/** Every query of every panel, and of the annotations. */
export function dashboardQueries(): PanelQuery[] {
  const dashboard = readDashboard();
  return [
    ...dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ panel: title, expression: expr })),
    ),
    ...dashboard.annotations.list.map(({ expr }) => ({ panel: 'annotation', expression: expr })),
  ];
}

/** An expression with Grafana's variables filled in: all jobs, all sidecars. */
export function filledIn(expression: string, rateInterval: string): string {
  return expression
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll('$__interval', rateInterval)
    .replaceAll('$job', '.*')
    .replaceAll('$instance', '.*');
}
