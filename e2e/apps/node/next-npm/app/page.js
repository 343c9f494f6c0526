export default function Page() {
  return <h1>Hello from next-npm</h1>;
}
