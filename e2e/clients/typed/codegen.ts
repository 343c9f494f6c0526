// Writes `gql/graphql.ts`: the documents as typed constants, and the types of what they answer.
import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../schema.graphql',
  documents: '../documents/*.graphql',
  generates: {
    './gql/': {
      preset: 'client',
      config: {
        // Numbers that JavaScript cannot hold exactly are strings, and so are moments.
        scalars: { BigInt: 'string', DateTime: 'string', Decimal: 'string', JSON: 'unknown', Secret: 'string', Slug: 'string' },
        strictScalars: true,
        enumsAsTypes: true,
        useTypeImports: true,
      },
    },
  },
};

export default config;
