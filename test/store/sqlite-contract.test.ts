// The Store contract on both variants of the SQLite adapter: writer in place, writer in a thread.
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { storeContract } from './contract.ts'

storeContract('SQLite store, inline', folder => openSqliteStore({ folder, thread: false }), 30)
storeContract('SQLite store, thread', folder => openSqliteStore({ folder }), 5)
