# Loaded after runner.ps1 in a process that takes files: folders below staging, one per run, a day old at most. What is asked of it
# comes in envelopes (action "stage"), the bytes of large files in lines "@put <id> <flags> <offset> <base64>".
$hv.stages = 'stage'; $hv.put = $null
function hvSha($file) {
    $stream = [IO.File]::OpenRead($file)
    try { -join @(foreach ($n in (New-Object Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash($stream)) { $n.ToString('x2') }) } finally { $stream.Dispose() }
}
function hvBytes($text, $packed, $to) {
    $bytes = [Convert]::FromBase64String($text)
    if (-not $packed) { return $to.Write($bytes, 0, $bytes.Length) }
    $inflate = New-Object IO.Compression.DeflateStream (New-Object IO.MemoryStream (, $bytes)), ([IO.Compression.CompressionMode]::Decompress)
    try { $inflate.CopyTo($to) } finally { $inflate.Dispose() }
}
function hvFailed($e) { hvFrame 'stage' ",""error"":$(hvText "$($e.Exception.GetBaseException().Message)")" }
function hvStage($b) {
    if ($hv.put) { $hv.put.file.Dispose(); $hv.put = $null }
    $top = Join-Path $hv.home 'staging'; $folder = Join-Path $top ("$($b.run)" -replace '[^A-Za-z0-9-]'); $old = [datetime]::UtcNow.AddDays(-1)
    if (-not $hv.full) { return hvFrame 'stage' ',"error":"its PowerShell is restricted (ConstrainedLanguage) and cannot write bytes"' }
    try {
        if ($b.do -eq 'remove') { if (Test-Path -LiteralPath $folder) { Remove-Item -LiteralPath $folder -Recurse -Force -ErrorAction Stop }; return }
        hvHome; $null = New-Item -Path $folder -ItemType Directory -Force -ErrorAction Stop
        foreach ($f in @(Get-ChildItem -LiteralPath $top)) { if ($f.LastWriteTimeUtc -lt $old) { Remove-Item -LiteralPath $f.FullName -Recurse -Force -ErrorAction SilentlyContinue } }
        $file = if ($b.name) { Join-Path $folder ($b.name -replace '[^A-Za-z0-9-]') }
        if ($b.do -eq 'open') {
            $hv.put = @{ id = $hv.id; file = [IO.File]::Open($file, 'OpenOrCreate', 'ReadWrite', 'Read'); n = 0 }
            if ($b.fresh) { $hv.put.file.SetLength(0) }; hvFrame 'stage' ",""at"":$($hv.put.file.Length)"; $hv.put.n = $hv.n + 1
        } elseif ($b.do -eq 'close') { hvFrame 'stage' ",""shas"":[""$(hvSha $file)""]" }
        else {
            $shas = foreach ($f in $b.files) {
                $file = Join-Path $folder ($f.name -replace '[^A-Za-z0-9-]'); $to = [IO.File]::Create($file)
                try { $null = hvBytes $f.data $f.packed $to } finally { $to.Dispose() }; hvSha $file
            }
            hvFrame 'stage' ",""shas"":$(hvList @($shas))"
        }
    } catch { hvFailed $_ }
}
function hvPut($line) {
    $part = $line.Split(' '); $put = $hv.put; if ($part[1] -ne $put.id -or $put.failed) { return }
    $hv.id = $put.id; $hv.n = $put.n
    try {
        $put.file.Position = [long]$part[3]; hvBytes $part[4] ($part[2][0] -eq 'z') $put.file
        if ($part[2][1] -eq 'a') { $put.file.Flush(); hvFrame 'stage' ",""at"":$($put.file.Position)" }
    } catch { $put.failed = $true; hvFailed $_ }
    $put.n = $hv.n
}
