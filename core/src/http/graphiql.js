// The token goes into the editor of headers: {"Authorization": "Bearer slip_..."}. It is sent to this host alone.
const socket = new URL('/graphql/ws', location.href);
socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
const fetcher = GraphiQL.createFetcher({ url: '/graphql', subscriptionUrl: socket.href });
const root = ReactDOM.createRoot(document.getElementById('graphiql'));
root.render(React.createElement(GraphiQL, { fetcher, shouldPersistHeaders: false }));
