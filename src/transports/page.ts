// What is served by HTTP: the one plain page at `/` (what this is, that it is well, and how to chat; it shows no secret
// and loads nothing) and the figures at `/metrics`, for holders of the token alone. Beyond this machine nothing is shown
// without it.

import type { From } from './connection.ts'

export interface PageRequest {
  readonly path: string
  readonly from: From
  /** The header of that name. */
  readonly authorization: string | undefined
}

export interface Page {
  readonly status: number
  readonly type: string
  readonly body: string
}

export const FIGURES_TYPE = 'text/plain; version=0.0.4'
const UNAUTHORIZED =
  'This needs the token of this gateway. Send it in a header: `Authorization: Bearer <token>`. It is in the file `token` of the state folder, unless the config or SLUICE_GATEWAY_TOKEN sets another.\n'

export function unauthorizedPage(): Page {
  return { status: 401, type: 'text/plain', body: UNAUTHORIZED }
}

export interface PageFacts {
  readonly version: string
  readonly url: string
  readonly zone: string
  readonly model: string
  readonly chatCommand: string
  readonly sessions: number
  readonly jobs: number
  readonly uptime: string
}

export function renderPage(facts: PageFacts): string {
  const rows = [
    ['Health', `well, up ${facts.uptime}`],
    ['Address', facts.url],
    ['Version', facts.version],
    ['Model', facts.model],
    ['Time zone', facts.zone],
    ['Sessions', String(facts.sessions)],
    ['Scheduled jobs', String(facts.jobs)],
  ]
  const table = rows.map(([name, value]) => `<tr><th>${name}</th><td>${escapeHtml(value ?? '')}</td></tr>`).join('\n')
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sluice</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
th { text-align: left; padding-right: 1.5rem; font-weight: 600 }
code { display: block; padding: .75rem; border: 1px solid; border-radius: .4rem; overflow-x: auto }
</style></head>
<body>
<h1>Sluice</h1>
<p>A gateway for AI agents: it holds their sessions, runs their tools and their scheduled jobs.</p>
<table>
${table}
</table>
<p>To chat, run in a terminal on this machine:</p>
<code>${escapeHtml(facts.chatCommand)}</code>
</body>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
