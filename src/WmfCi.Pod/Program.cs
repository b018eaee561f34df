Console.Error.WriteLine("wmfci-pod fetch | step N | collect"); return 2;
