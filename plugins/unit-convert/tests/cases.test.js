// The cases are the .json files beside this one.
import { testCases } from "slipswitch-sdk/testkit";

await testCases();
