// A second process for tests: upgrades or restores a store in a folder and dies, as by SIGKILL, when it has reached a step.
// Run as `node dying.ts upgrade|restore <folder> <step> [<backup>]`.

import { restoreBackup } from '../../src/store/sqlite/backup.ts'
import { openForWriting } from '../../src/store/sqlite/database.ts'

const [what, folder, wanted, backup] = process.argv.slice(2)
if (folder === undefined) throw new Error('which folder?')
const reached = (step: string) => {
  if (step === wanted) process.kill(process.pid, 'SIGKILL')
}
if (what === 'upgrade') openForWriting(folder, 100, reached)
else restoreBackup(backup ?? '', folder, { keepOldAs: `${folder}/sluice.db.replaced-${wanted}`, reached })
throw new Error(`there is no step ${wanted}`)
