export const load = ({ url }) => ({ path: url.pathname });
