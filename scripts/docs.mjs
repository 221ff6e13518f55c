/** `npm run docs`: writes the documentation that is made from the program's own tables. */
import { writeFileSync } from 'node:fs';
import { prepareOrExit } from './prepare.mjs';

prepareOrExit({ forTests: true });
const { renderConfigurationDoc } = await import('../dist/config/docs.js');
const { renderMetricsDoc } = await import('../dist/metrics/docs.js');
const { renderRoutingDoc } = await import('../dist/proxy/docs.js');
const { renderCompatibilityDoc } = await import('../build/test/conformance/compatibility-doc.js');
writeFileSync(new URL('../docs/configuration.md', import.meta.url), renderConfigurationDoc());
writeFileSync(new URL('../docs/metrics.md', import.meta.url), renderMetricsDoc());
writeFileSync(new URL('../docs/routing.md', import.meta.url), renderRoutingDoc());
writeFileSync(new URL('../docs/compatibility.md', import.meta.url), renderCompatibilityDoc());
