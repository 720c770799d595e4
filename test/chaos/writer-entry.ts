// The entry of the writer's thread in the chaos run: the production writer, on a database whose statements can be made to
// stand still. First the gates, then the writer: the order of the imports counts.
import './gates.ts'
import '../../src/store/sqlite/writer.ts'
