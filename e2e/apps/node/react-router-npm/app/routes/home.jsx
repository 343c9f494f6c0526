export const loader = () => ({ greeting: "Hello from react-router-npm" });

export default function Home({ loaderData }) {
  return <h1>{loaderData.greeting}</h1>;
}
