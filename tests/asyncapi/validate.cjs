// usage: validate.cjs FILE   Prints what AsyncAPI's own parser has against FILE, a line each; exit code 1 when the file is not valid.
const { Parser, fromFile } = require('@asyncapi/parser');
const { AvroSchemaParser } = require('@asyncapi/avro-schema-parser');

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
fromFile(parser, process.argv[2]).parse().then(({ document, diagnostics }) => {
    const levels = ['error', 'warning', 'information', 'hint'];
    for (const d of diagnostics) {
        console.log(`${levels[d.severity]}: ${d.path.join('.')}: ${d.message}`);
    }
    process.exitCode = document ? 0 : 1;
});
