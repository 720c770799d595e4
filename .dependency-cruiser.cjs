// The map of the house: each folder under src/, and the folders it may import. One table lints the edges (npm run
// check) and is drawn in ARCHITECTURE.md (test/tidy.test.ts compares the two). A new folder is put here first.
const domain = ['store', 'sessions', 'scheduler', 'turns', 'providers', 'channels', 'tools', 'access', 'delivery']
const mayImport = {
  base: [],
  protocol: ['base'],
  coordination: ['base'],
  words: ['base', 'protocol'],
  config: ['base', 'protocol'],
  store: ['base', 'protocol'],
  providers: ['base', 'protocol', 'words'],
  channels: ['base', 'protocol'],
  client: ['base', 'protocol'],
  dispatch: ['base', 'protocol', 'coordination'],
  access: ['base', 'protocol', 'store'],
  delivery: ['base', 'protocol', 'store'],
  sessions: ['base', 'protocol', 'coordination', 'store'],
  scheduler: ['base', 'protocol', 'coordination', 'store'],
  tools: ['base', 'protocol', 'coordination', 'words'],
  turns: ['base', 'protocol', 'coordination', 'store', 'sessions', 'providers', 'tools'],
  methods: ['base', 'protocol', 'words', 'config', 'coordination', 'dispatch', ...domain],
  transports: ['base', 'protocol', 'dispatch'],
  maintenance: ['base', 'protocol', 'config', 'store'],
  cli: ['base', 'protocol', 'client'],
}

// The composition roots: they choose adapters and may import everything.
const roots = '(gateway|house|runner-entry|main|serve)\\.ts'
// Ports whose adapters are folders below them.
const ports = '(store|providers|channels)'
// Who may take real effects by itself; everybody else is handed a World or a part of it.
const effects = 'base/node/|store/[^/]+/|transports/|turns/|tools/|cli/|maintenance/'

const forbid = (name, from, to) => ({ name, severity: 'error', from, to })
const onlyFrom = (name, folders, modules) =>
  forbid(name, { path: '^src/', pathNot: `^src/(${folders})` }, { path: modules })

module.exports = {
  forbidden: [
    ...Object.entries(mayImport).map(([folder, allowed]) =>
      forbid(
        `${folder}-stays-below`,
        { path: `^src/${folder}/` },
        { path: '^(src|web|test|bench|scripts)/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
      ),
    ),
    forbid(
      'folder-is-on-the-map',
      { path: `^src/(?!${roots}$)`, pathNot: `^src/(${Object.keys(mayImport).join('|')})/` },
      {},
    ),
    forbid(
      'adapters-are-chosen-by-roots',
      { path: `^src/(?!${roots}$)`, pathNot: `^src/${ports}/[^/]+/` },
      { path: `^src/${ports}/[^/]+/` },
    ),
    forbid('adapters-never-meet', { path: `^src/${ports}/([^/]+)/` }, { path: '^src/$1/[^/]+/', pathNot: '^src/$1/$2/' }),
    forbid('nobody-imports-a-root', { path: '^src/', pathNot: `^src/${roots}$` }, { path: `^src/${roots}$` }),
    onlyFrom('effects-are-handed-in', `${effects}|${roots}$`, '^src/base/node/'),
    forbid('web-is-a-client', { path: '^web/' }, { path: '^src/', pathNot: '^src/(base|protocol|client)/' }),
    forbid('browsers-get-no-node', { path: '^(web|src/(protocol|client))/' }, { path: '^src/base/node/' }),
    forbid('no-cycles', {}, { circular: true }),
    forbid('no-orphans', { orphan: true, path: '^src/', pathNot: '\\.d\\.ts$' }, {}),
    onlyFrom('sqlite-behind-store', 'store/sqlite/', 'node_modules/better-sqlite3/|^(node:)?sqlite$'),
    onlyFrom('pg-behind-store', 'store/postgres/', 'node_modules/pg/'),
    onlyFrom(
      'sockets-behind-transports',
      // base/addresses.ts takes the arithmetic of addresses from there, and opens nothing.
      `(transports|client|channels|providers|tools)/|base/(node/|addresses\\.ts$)|${roots}$`,
      '^(node:)?(http|https|net|tls)$|node_modules/ws/',
    ),
  ],
  // Keep tsPreCompilationDeps: without type imports, cycles hide.
  options: { tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' }, doNotFollow: { path: 'node_modules' } },
}

// For test/tidy.test.ts. Not enumerable, because dependency-cruiser refuses keys that it does not know.
Object.defineProperty(module.exports, 'mayImport', { value: mayImport })
